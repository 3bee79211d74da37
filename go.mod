module github.com/aside-project/aside

go 1.26
